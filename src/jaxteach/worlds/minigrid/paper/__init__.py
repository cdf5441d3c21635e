"""The four door/key tasks of LLM4Teach: a room with keys and locked doors."""
