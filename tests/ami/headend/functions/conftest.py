"""A head-end on the simulated street, with one provisioned meter that has gas and water."""

from __future__ import annotations

from tests.ami.headend.test_street import living  # noqa: F401 - a fixture
