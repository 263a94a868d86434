"""Several processes serve the data plane, one keeps the rest: what they are and how they talk.

    supervisor          holds the listening sockets, starts the others and starts them again
    ├── control process API, console, database, journal replay, limits (`app.py`, with a `Hub`)
    └── worker 1..N     the data plane alone; everything else is handed to the control process

`supervisor.py` and `process.py` are the processes, `hub.py` and `link.py` the two ends of the socket between
control process and worker, `messages.py` what goes over it, `forward.py` the way of all other paths. Nothing
in here imports the control plane or one of its libraries.
"""
