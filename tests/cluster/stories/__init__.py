"""What is done on the cluster, in this order."""

from stories import admission, examples, token

STORIES = [
    ("token", token.story),
    ("renders", examples.renders),
    ("admission", admission.story),
    ("examples", examples.story),
]
