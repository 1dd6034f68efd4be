"""The pages of the console: each module gathers the data of its pages from the areas' JSON, and lists them."""

from openami.web.page import Action, Page
from openami.web.pages import (
    bills,
    customers,
    device,
    devices,
    events,
    files,
    headend,
    inspections,
    landscape,
    messages,
    orders,
    tariffs,
    users,
    values,
    virtual,
)

PAGES: tuple[Page, ...] = (
    *landscape.PAGES,
    *devices.PAGES,
    *device.PAGES,
    *headend.PAGES,
    *files.PAGES,
    *values.PAGES,
    *virtual.PAGES,
    *events.PAGES,
    *inspections.PAGES,
    *orders.PAGES,
    *messages.PAGES,
    *bills.PAGES,
    *tariffs.PAGES,
    *customers.PAGES,
    *users.PAGES,
)
ACTIONS: tuple[Action, ...] = (
    *bills.ACTIONS,
    *files.ACTIONS,
    *inspections.ACTIONS,
    *messages.ACTIONS,
    *tariffs.ACTIONS,
    *values.ACTIONS,
    *virtual.ACTIONS,
)
