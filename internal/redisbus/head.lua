-- What a reader of a topic's history has to know besides the entries, read in
-- one transaction with them. It writes nothing.
--
-- KEYS  1 clock  2 topics  3 meta  4 log
-- ARGV  1 topic
--
-- Returns {} if this server is not the one that wrote last: a script call that
-- writes has to find out first what became of the store. Else
--   epoch, position of the clock, Redis' milliseconds, how many entries the log
--   has, the bytes of all of them, the messages in those of a log, and of the topic:
--   last position, gone, since, lost, before, where all losses are told, with spaces
--   between, its kind, and how it ended, where, and behind what.

local clock = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'last', 'forgotten')
if not clock[1] or clock[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return {}
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local meta = redis.call('HMGET', KEYS[3], 'last', 'gone', 'since', 'lost', 'before', 'bytes', 'kind', 'ended', 'count')
if not meta[1] then
  local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
  meta[1] = score and string.format('%.0f-34359738367', tonumber(score)) or clock[4] or '0-0'
end
local losses = {}
if meta[4] then
  local known = redis.call('HGETALL', KEYS[3])
  for i = 1, #known, 2 do
    if string.sub(known[i], 1, 5) == 'lost:' then
      losses[#losses + 1] = known[i + 1]
    end
  end
end
return { clock[1], clock[3], now, redis.call('XLEN', KEYS[4]), tonumber(meta[6] or 0), tonumber(meta[9] or 0), meta[1], meta[2] or '', meta[3] or '', meta[4] or '', meta[5] or '', table.concat(losses, ' '), meta[7] or '', meta[8] or '' }
