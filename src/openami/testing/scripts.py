"""All scripts: importing this fills `processes.PROCESSES`."""

from openami.testing import scripts_master_data, scripts_orders, scripts_readings
from openami.testing.processes import PROCESSES, Field, Process, Stage

__all__ = ["PROCESSES", "Field", "Process", "Stage", "scripts_master_data", "scripts_orders", "scripts_readings"]
