"""The pages of the console: each module gathers the data of its pages from the areas' JSON, and lists them."""

from openami.web.page import Page
from openami.web.pages import bills, customers, device, devices, events, headend, landscape, messages, orders

PAGES: tuple[Page, ...] = (
    *landscape.PAGES,
    *devices.PAGES,
    *device.PAGES,
    *headend.PAGES,
    *events.PAGES,
    *orders.PAGES,
    *messages.PAGES,
    *bills.PAGES,
    *customers.PAGES,
)
