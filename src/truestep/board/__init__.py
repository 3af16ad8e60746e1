"""The local web board: live pages of what is and was trained.

It serves one folder of runs to this machine alone, reads and never writes, and loads nothing from elsewhere. Starlette
and uvicorn are imported by `board.app` and `board.serve`, which only `truestep board` loads.
"""
