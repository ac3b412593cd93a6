"""Risk: the gate every order passes, its rules, and the kill switch's state. Pure, fails closed."""
