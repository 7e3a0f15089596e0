"""The HTTP service and the web explorer (extra ``serve``).

``mfrec.service.app.create`` makes the ASGI application; ``mfrec serve`` runs it. Like everything that serves,
it imports numpy and annoy, and beyond them only the web libraries and those of metrics and search.
"""
