"""Money that channels collect: methods, what is asked for, mandates, batches, and the comparison with the channel."""
