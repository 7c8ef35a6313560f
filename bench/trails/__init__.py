"""How many files of ours a call passes through, in this checkout or an older one."""
