-- The gates as Redis keeps them: the rules of shared/src/domain/gate, line by line.
-- KEYS: whether anything is known, the gate, the host's circuit, the account's circuit.
-- ARGV: what to do, the time in milliseconds, and what that needs.

local TRIAL, TRIAL_LOOK = 15000, 250
local INTERACTIVE_SHARE, MARGIN_SHARE, SPACING = 5, 60, 100
local LONGEST, UNTOLD, SHORTEST_WINDOW, LEARNT = 3600000, 15000, 100, 600000
local TOGETHER, FIRST_PAUSE, LONGEST_PAUSE = 60000, 5000, 60000
local HOST = { failures = 5, sources = 3 }
local ACCOUNT = { failures = 5, sources = 1 }

local GATE = { 'total', 'window', 'learnt_until', 'end', 'used', 'owed', 'owed_until', 'queue', 'callers', 'closed',
  'trial', 'trial_until' }
local CIRCUIT = { 'failures', 'last', 'open', 'opened', 'trial_until', 'sources' }

local min, max, floor = math.min, math.max, math.floor
local now = tonumber(ARGV[2])

local function load(key, fields)
  local values = redis.call('HMGET', key, unpack(fields))
  local state = {}
  for i, field in ipairs(fields) do state[field] = tonumber(values[i]) or 0 end
  return state
end

local function save(key, fields, state, lives)
  local values = {}
  for _, field in ipairs(fields) do
    values[#values + 1] = field
    values[#values + 1] = string.format('%d', state[field])
  end
  redis.call('HSET', key, unpack(values))
  redis.call('PEXPIRE', key, string.format('%d', lives))
end

local function save_gate(gate)
  save(KEYS[2], GATE, gate, max(gate['end'], gate.closed, now) - now + LONGEST)
end

local function forget(gate)
  if now >= gate.learnt_until then gate.total, gate.window = 0, 0 end
end

local function known(gate, calls, window)
  return gate.total > 0 and gate.total or calls, gate.window > 0 and gate.window or window
end

local function places(limit, window)
  return limit > 0 and limit or floor(window / SPACING)
end

local function roll(gate, total, window)
  if gate['end'] > 0 and now >= gate['end'] then
    if now < gate['end'] + window then
      total = places(total, window)
      gate.owed = min(gate.queue, total - floor(total / INTERACTIVE_SHARE))
      gate.queue = gate.queue - gate.owed
      gate.callers = gate.callers - min(gate.callers, total)
      gate.owed_until = gate['end'] + floor(window / 2)
    else
      gate.owed, gate.queue, gate.callers = 0, 0, 0
    end
    gate['end'], gate.used = 0, 0
  end
  if now >= gate.owed_until then gate.owed = 0 end
end

local function place(gate, limit, window, background)
  limit = places(limit, window)
  local ahead = background and gate.queue or gate.callers
  local begins = max(gate['end'], gate.closed, gate['end'] == 0 and gate.owed_until or 0)
  local windows, before = floor(ahead / limit), ahead % limit
  local spacing = min(floor(window / limit), SPACING)
  local at = max(begins, now) + windows * (window + floor(window / MARGIN_SHARE)) + before * spacing
  gate.queue = gate.queue + 1
  if not background then gate.callers = gate.callers + 1 end
  return min(max(at, now + 1), now + LONGEST)
end

-- Gives the time to wait for, or nothing and whether it is a trial and what is left.
local function pass(gate, calls, window, background, waited, urgent)
  local total
  forget(gate)
  total, window = known(gate, calls, window)
  roll(gate, total, window)
  local limit = background and total - floor(total / INTERACTIVE_SHARE) or total
  if now < gate.closed then return place(gate, limit, window, background) end
  if gate.trial > 0 and now < gate.trial_until then
    return min(now + TRIAL_LOOK, gate.trial_until)
  end
  if waited and gate.owed > 0 then
    gate.owed = gate.owed - 1
  elseif total > 0 and gate.used + gate.owed >= limit and not urgent then
    return place(gate, limit, window, background)
  end
  if gate['end'] == 0 then gate['end'] = now + window + floor(window / MARGIN_SHARE) end
  gate.used = gate.used + 1
  if gate.trial > 0 then gate.trial_until = now + TRIAL end
  return nil, gate.trial, total > 0 and max(total - gate.used, 0) or -1
end

local function held(circuit)
  if circuit.open == 0 then return 0 end
  if now < circuit.open then return circuit.open end
  return now < circuit.trial_until and min(now + TRIAL_LOOK, circuit.trial_until) or 0
end

local function enter(key, circuit)
  if circuit.open > 0 then redis.call('HSET', key, 'trial_until', string.format('%d', now + TRIAL)) end
  return circuit.failures > 0
end

local function failed(key, threshold, source)
  local circuit = load(key, CIRCUIT)
  local opens = false
  if now >= circuit.open then
    local accounts = key .. ':from'
    if circuit.open == 0 and now > circuit.last + TOGETHER then
      circuit.failures, circuit.sources = 0, 0
      redis.call('DEL', accounts)
    end
    circuit.failures, circuit.last = circuit.failures + 1, now
    if circuit.sources < threshold.sources then
      circuit.sources = circuit.sources + redis.call('SADD', accounts, source)
      redis.call('PEXPIRE', accounts, 10 * TOGETHER)
    end
    opens = circuit.open > 0
      or circuit.failures >= threshold.failures and circuit.sources >= threshold.sources
    if opens then
      circuit.open = now + min(FIRST_PAUSE * 2 ^ min(circuit.opened, 10), LONGEST_PAUSE)
      circuit.opened, circuit.trial_until = circuit.opened + 1, 0
    end
    save(key, CIRCUIT, circuit, 10 * TOGETHER)
  end
  return opens, held(circuit)
end

local function answered()
  redis.call('DEL', KEYS[3], KEYS[3] .. ':from', KEYS[4], KEYS[4] .. ':from')
end

local ops = {}

function ops.ask()
  if redis.call('EXISTS', KEYS[1]) == 0 then return { 'unknown', 0, 0, 0 } end
  local host, account = load(KEYS[3], CIRCUIT), load(KEYS[4], CIRCUIT)
  local outage = max(held(host), held(account))
  if outage > 0 then return { 'outage', outage, 0, 0 } end
  local gate = load(KEYS[2], GATE)
  local wait, trial, left = pass(gate, tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1',
    ARGV[6] == '1', ARGV[7] == '1')
  save_gate(gate)
  if wait then return { 'limit', wait, 0, 0 } end
  local account_watched = enter(KEYS[4], account)
  local watched = enter(KEYS[3], host) or account_watched or trial > 0
  return { 'go', 0, watched and 1 or 0, left }
end

function ops.answered()
  answered()
  local gate = load(KEYS[2], GATE)
  if gate.trial > 0 then
    gate.trial, gate.trial_until = 0, 0
    save_gate(gate)
  end
  return { 0, 0, 0 }
end

function ops.refused()
  answered()
  local gate = load(KEYS[2], GATE)
  local longest, fresh = tonumber(ARGV[4]), now >= gate.closed
  forget(gate)
  local total, window = known(gate, tonumber(ARGV[3]), longest)
  local till, told = tonumber(ARGV[5]), tonumber(ARGV[6])
  if till < 0 then till = now + UNTOLD end
  till = min(max(till, now), now + LONGEST)
  if told >= 0 then
    gate.total, gate.learnt_until = max(told, 1), till + LEARNT
    local measured = till - (gate['end'] - window - floor(window / MARGIN_SHARE))
    if fresh and gate['end'] > 0 and gate.used > gate.total and measured >= SHORTEST_WINDOW
      and measured <= longest then
      gate.window = measured
    end
  end
  if till > gate.closed then gate.closed, gate['end'] = till, till end
  gate.used = max(gate.total, total)
  gate.owed, gate.queue = 0, gate.queue + 1
  if fresh then gate.callers = gate.callers + 1 end
  gate.trial, gate.trial_until = 1, 0
  save_gate(gate)
  return { fresh and 1 or 0, 0, 0 }
end

function ops.left()
  answered()
  local gate = load(KEYS[2], GATE)
  gate.trial, gate.trial_until = 0, 0
  forget(gate)
  gate.total, gate.learnt_until = max(tonumber(ARGV[3]), 1), now + LEARNT
  local till = tonumber(ARGV[5])
  if till > now then gate['end'] = min(till, now + LONGEST) end
  if gate['end'] > 0 then gate.used = max(gate.used, gate.total - tonumber(ARGV[4])) end
  save_gate(gate)
  return { 0, 0, 0 }
end

function ops.failed()
  local account_opened, account_held = failed(KEYS[4], ACCOUNT, ARGV[3])
  local host_opened, host_held = failed(KEYS[3], HOST, ARGV[3])
  return { 0, (account_opened or host_opened) and 1 or 0, max(account_held, host_held) }
end

function ops.restore()
  if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
  local gate = load(KEYS[2], GATE)
  local till = min(tonumber(ARGV[3]), now + LONGEST)
  gate.closed, gate['end'] = till, till
  gate.total, gate.learnt_until, gate.trial = tonumber(ARGV[4]), till + LEARNT, 1
  save_gate(gate)
  return 1
end

function ops.known()
  redis.call('SET', KEYS[1], '1')
  return 1
end

function ops.held()
  return held(load(KEYS[3], CIRCUIT))
end

return ops[ARGV[1]]()
