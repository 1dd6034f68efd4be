"""A head-end on the simulated street, with one provisioned meter that has gas and water; and one without sockets."""

from __future__ import annotations

import pytest
from tests.ami.headend.functions.world import World
from tests.ami.headend.test_street import living  # noqa: F401 - a fixture

from openami.ami.meter.street import Street, build_street


@pytest.fixture(scope="session")
def layout() -> Street:
    return build_street(10, 1)


@pytest.fixture
def world(layout: Street) -> World:
    return World(layout)
