-- Says of which topics the lease has run out, and notes that a node has looked.
-- What ran out while none did, for as long as that, or in another epoch, did so
-- unseen: the script that publishes gives it its time once more.
--
-- KEYS  1 clock  2 due
-- ARGV  1 milliseconds without a look after which leases ran out unseen
--       2 the most topics
-- Returns the epoch and the topics, or {} if this server is not the one that wrote
-- last.

local clock = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'looked', 'lookedin')
if not clock[1] or clock[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return {}
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local text = string.format('%.0f', now)
if clock[4] ~= clock[1] or now - tonumber(clock[3]) > tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'unseen', text)
end
redis.call('HSET', KEYS[1], 'looked', text, 'lookedin', clock[1])
local due = redis.call('ZRANGE', KEYS[2], '-inf', text, 'BYSCORE', 'LIMIT', 0, ARGV[2])
table.insert(due, 1, clock[1])
return due
