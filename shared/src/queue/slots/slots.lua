-- KEYS[1]: the slots of a name. ARGV: id, now, limit, life (milliseconds).
-- 1 when the id has a slot now, 0 when all are taken.
local now, limit, life = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= limit then
  return 0
end
redis.call('ZADD', KEYS[1], now + life, ARGV[1])
redis.call('PEXPIRE', KEYS[1], life)
return 1
