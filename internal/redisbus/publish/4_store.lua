-- Part 4: a new epoch, if there has to be one, and what is taken. XADD is the
-- first of all writes, and the only one that can fail.
--
-- Needs groups, topics, turns, epoch, ms and seq; gives position, which is the
-- last one that it gave out, ended, the epoch before a new one, parts and
-- announced for the wire, and in topics what the books have to say.

-- From here on it is taken.
local position
local function take()
  seq = seq + 1
  position = text(ms, seq)
  return position
end

local ended
if turns then
  local number = tonumber(string.match(ARGV[4], '^%d+'))
  if epoch then
    number = math.max(number, tonumber(string.match(epoch, '^%d+')))
    ended = epoch
  end
  epoch = string.format('%.0f.%s', number + 1, nonce)
  began = take()
end

local parts = {}
local function part(s)
  parts[#parts + 1] = #s .. ':' .. s
end
local announced = 0
for g = 1, groupCount do
  local group = groups[g]
  for i = 1, #group do
    local m = group[i]
    if group.verdict == 'ok' and not m.answer and not m.first then
      local t = m.topic
      local prev = t.last
      m.at = take()
      if m.kind == 'l' then
        if prev ~= t.lost then
          t.before = prev
        end
        t.lost = m.at
        t.losses = t.losses or {}
        t.losses[#t.losses + 1] = m.name
      else
        redis.call('XADD', t.log, m.at, 'prev', prev, 'event', m.name, 'data', m.data, 'key', m.key, 'flags', m.kind)
        t.bytes = t.bytes + entryCost + #m.name + #m.key + #m.data
        t.first = t.first or m.at
        t.length, t.added = t.length + 1, true
      end
      if t.empty then
        t.empty, t.gone = false, prev -- all before it has expired
      end
      t.last, t.touched = m.at, true
      part(m.at)
      part(prev)
      part(t.name)
      part(m.kind)
      part(m.name)
      part(m.key)
      part(m.data)
      announced = announced + 1
    end
  end
end
if not position then
  take()
end
