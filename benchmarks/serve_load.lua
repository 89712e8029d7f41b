-- For wrk: post the bodies that a list names, in turn, and say as JSON what came of it.
local bodies = {}
local at = 0

function init(arguments)
  wrk.headers["Content-Type"] = arguments[2]
  for path in io.lines(arguments[1]) do
    local file = io.open(path, "rb")
    bodies[#bodies + 1] = file:read("*a")
    file:close()
  end
end

function request()
  at = at % #bodies + 1
  return wrk.format("POST", "/api/predict", wrk.headers, bodies[at])
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "failed": %d, "median": %f, "p99": %f}\n',
    summary.requests, summary.duration / 1e6, failed,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
