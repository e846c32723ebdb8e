"""The doors for programs: thin shells around the verbs, and the tokens that open them."""
