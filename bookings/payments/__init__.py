"""Money that moves: attempts to pay, refunds, the ledger, and the providers behind one small protocol."""
