-- One request of a caller, counted by the time at which everything asked so far is paid for.
-- KEYS: the caller. ARGV: now, cost of a request, the window; all in ms.
-- Gives whether it may pass, and that time.
local now, cost, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local paid = tonumber(redis.call('GET', KEYS[1]) or '0')
if paid < now then paid = now end
-- A clock that was set back must not hold a caller for longer than a window.
if paid > now + window then paid = now + window end
if paid + cost > now + window then return {0, paid} end
paid = paid + cost
redis.call('SET', KEYS[1], paid, 'PX', window + cost)
return {1, paid}
