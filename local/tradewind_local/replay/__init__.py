"""A session of the market, minute by minute, through the deployed stack."""
