-- Takes tokens out of the bucket of somebody who publishes.
--
-- KEYS  1 clock  2 bucket
-- ARGV  1 tokens that come in a second  2 tokens that it holds  3 tokens needed
--       4 tokens welcome besides, if there are some  5 the most that anybody needs
--       6 epoch that the caller knows
--
-- Returns {} if this server is not the one that wrote last, or the caller knows
-- another epoch: a script call that writes has to find out first what became of the
-- store. Else
--   epoch, position of the clock, how many tokens were taken, and, if that is none,
--   after how many microseconds there will be as many as needed.

local clock = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'last')
if not clock[1] or clock[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  or clock[1] ~= ARGV[6] then
  return {}
end
local each, holds, need = 1000000 / tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- All that is kept of a bucket is the moment at which it will be full, and nothing of
-- a full one. Where the clock was set back, that lies no farther ahead than the
-- largest debt.
local full = math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0))
full = math.min(full, now + (holds + tonumber(ARGV[5])) * each)
local has = holds - (full - now) / each
-- Who needs more than it holds takes it of a full one.
local missing = math.min(need, holds) - has
if missing > 0 then
  return { clock[1], clock[3], 0, math.ceil(missing * each) }
end
local taken = math.max(need, math.min(need + tonumber(ARGV[4]), math.floor(has)))
full = math.ceil(full + taken * each)
redis.call('SET', KEYS[2], string.format('%.0f', full), 'PX', string.format('%.0f', math.ceil((full - now) / 1000)))
return { clock[1], clock[3], taken, 0 }
