"""The console: pages for people and the same data as JSON, over the areas' HTTP interfaces only.

Comes in: the areas' JSON. Goes out: HTML rendered here, readable without script; every page is also JSON at its
address with `.json` behind it. Upstream are all areas; nothing is stored but who is logged in.
"""
