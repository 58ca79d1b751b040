-- Reads a part of a topic's history, oldest first. It writes nothing.
--
-- KEYS  1 clock  2 topics  3 log  4 meta
-- ARGV  1 topic  2 after  3 upto  4 last (0: all)  5 limit in events
--       6 limit in bytes of data  7 milliseconds that events are kept
--
-- Returns {} if this server is not the one that wrote last: a script call that
-- writes has to find out first what became of the store. Else
--   epoch, Redis' milliseconds, after (moved by last), 1 if a limit cut the
--   page, the entries, the next entry's prev (empty: none),
--   and of the topic: last position, gone, since, lost, before.

local clock = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'forgotten')
if not clock[1] or clock[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return {}
end
local topic, after, upto = ARGV[1], ARGV[2], ARGV[3]
local last, limit, bytes = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local meta = redis.call('HMGET', KEYS[4], 'last', 'gone', 'since', 'lost', 'before')
if not meta[1] then
  local score = redis.call('ZSCORE', KEYS[2], topic)
  meta[1] = score and string.format('%.0f-34359738367', tonumber(score)) or clock[3] or '0-0'
end

-- Too old is gone, also before a publish cuts it off.
local from = '(' .. after
local old = now - tonumber(ARGV[7])
if tonumber(string.match(after, '^%d+')) < old then
  from = string.format('%.0f-0', old)
end

if last > 0 then
  local left, top, first, found = last, upto, nil, false
  repeat
    local count = math.min(left + 1, 100)
    local entries = redis.call('XREVRANGE', KEYS[3], top, from, 'COUNT', count)
    for i = 1, #entries do
      found = left == 0 -- one more than was asked for
      if not found then
        first, left = entries[i], left - 1
      end
    end
    top = first and '(' .. first[1]
  until found or #entries < count
  if found then
    after = first[2][2]
    from = first[1]
  end
end

local got, size, cut, chunk = {}, 0, 0, 8
while cut == 0 do
  local entries = redis.call('XRANGE', KEYS[3], from, upto, 'COUNT', chunk)
  for i = 1, #entries do
    if #got == limit or size >= bytes then
      cut = 1
      break
    end
    got[#got + 1] = entries[i]
    size = size + #entries[i][2][6]
  end
  if #entries < chunk then
    break
  end
  from = '(' .. entries[#entries][1]
  chunk = math.min(chunk * 2, 128)
end

local nextPrev = ''
if cut == 0 then
  local rest = redis.call('XRANGE', KEYS[3], '(' .. upto, '+', 'COUNT', 1)
  if rest[1] then
    nextPrev = rest[1][2][2]
  end
end
return { clock[1], now, after, cut, got, nextPrev, meta[1], meta[2] or '', meta[3] or '', meta[4] or '', meta[5] or '' }
