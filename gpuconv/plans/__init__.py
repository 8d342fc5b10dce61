"""Plans: which kernel is the fastest for a problem, as it was measured; kept as one JSON file.

    with gcv.limits(plan="plan.json"): ...

A plan has a section for each machine: the device and the versions that its times belong to, and a
line for each problem. A section of another device or of other versions, and whatever in a file is
no plan, is ignored, and a line says so; ``registry.choose`` then goes by expected cost, as if it
were not there. ``gpuconv tune`` makes plans.
"""

from .files import VARIABLE as VARIABLE
from .files import load as load
from .files import open_or_new as open_or_new
from .files import place as place
from .files import save as save
from .files import text as text
from .files import usual as usual
from .plan import Entry as Entry
from .plan import Plan as Plan
from .plan import Section as Section
from .plan import key as key
