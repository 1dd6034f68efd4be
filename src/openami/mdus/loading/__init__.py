"""Loading: stored deliveries become durable, validated, estimated series; many at once, on any number of workers.

In: files of any adapter's format, kept raw and noted (`accept`): from then on they are acknowledged and never lost.
Out: new versions in the series, findings, time-of-use totals. The workers are a standard `Executor`: a pool of
processes on one machine, a Dask cluster on many. A delivery is one transaction, so a killed worker leaves nothing half
done, and whoever takes its delivery next does it once.
"""

from openami.mdus.loading.handlers import accept, load_waiting
from openami.mdus.loading.model import Loaded, Place, Progress

__all__ = ["Loaded", "Place", "Progress", "accept", "load_waiting"]
