"""How the service bears load: how many requests a second, how soon, and for how long."""
