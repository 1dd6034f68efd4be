"""Virtual channels: named sums, differences and multiples of channels, with the days from which they hold.

In: definitions of people. Out: values computed when they are read, with the worst quality of their parts; to
determinants, explanations, the change feed, and the rules that compare a meter with its check meter or its children.
"""
