"""Parts of the throughput benchmark, `bench_throughput.py`: what is timed, and how."""
