"""The main job: one street, one month, from the meters to the bills, told as a story and checked to the watt-hour.

Comes in: a running landscape, its service token and its shared clock. Goes out: the people's commands of the story
(over the areas' HTTP interfaces only), the moved clock, and the table at the end.
"""
