"""Money that channels collect: methods, pay-ins, mandates, batches, and the comparison with the channel."""
