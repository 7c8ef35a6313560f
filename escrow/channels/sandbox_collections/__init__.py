"""The sandbox bank's collection channels: mandates, collections, refunds and settlements."""
