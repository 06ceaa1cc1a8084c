"""The lab's machines: what goes into them, how they boot, how they are watched."""
