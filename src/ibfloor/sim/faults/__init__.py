"""What can go wrong at the simulated gateway, as data, and the engine that decides when."""

from ibfloor.sim.faults.engine import FaultEngine, FaultRow, Firing, Now
from ibfloor.sim.faults.loading import load_plan, read_fault
from ibfloor.sim.faults.plan import Fault, FaultPlan, When

__all__ = ["Fault", "FaultEngine", "FaultPlan", "FaultRow", "Firing", "Now", "When", "load_plan", "read_fault"]
