import MobiRuntime

print(LatencyRun.schema)
