"""The long run: faults at random by a seed, several at a time, under a load that never pauses.

A fault is a generator. It strikes, then yields what it waits for (`Wait`), and goes on when that
has come true; so all faults of a round take place side by side in one thread, which is also the
one that starts processes (they would die with any other).
"""
