"""What people and programs can do: plain functions whose first argument is the acting user.

REST, gRPC, commands, chat and admin call these, and none has logic of its own.
"""
