"""The pages of the console: each module gathers the data of its pages from the areas' JSON, and lists them."""

from openami.web.page import Page
from openami.web.pages import landscape, messages

PAGES: tuple[Page, ...] = (*landscape.PAGES, *messages.PAGES)
