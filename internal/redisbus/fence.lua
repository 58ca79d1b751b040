-- Says what became of a call of a publish lane of which no answer came, and
-- keeps it from being taken later, should it still be under way.
--
-- KEYS  1 lane  2 clock
-- ARGV  1 number of the call
-- Returns the store's epoch, the run id of the server that wrote last, and the
-- answer that the call got. That is empty if it was not taken and never will
-- be; or it was, by a server that has forgotten it since.

local clock = redis.call('HMGET', KEYS[2], 'epoch', 'run')
local epoch, run = clock[1] or '', clock[2] or ''
local known = redis.call('HMGET', KEYS[1], 'call', 'answer')
if known[1] and tonumber(known[1]) >= tonumber(ARGV[1]) then
  return { epoch, run, known[1] == ARGV[1] and known[2] or '' }
end
redis.call('HSET', KEYS[1], 'call', ARGV[1], 'answer', '')
redis.call('PEXPIRE', KEYS[1], 600000)
return { epoch, run, '' }
