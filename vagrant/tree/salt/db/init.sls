# Written next: the place of this role is known.
