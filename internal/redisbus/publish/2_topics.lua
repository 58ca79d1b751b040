-- Part 2: what the store knows of the call's topics, and so from where the
-- positions go on.
--
-- Needs after, text, raise, split and the clock; gives topics, each with last,
-- bytes, first, length, lost, gone and empty, and now as the first millisecond
-- of what comes.

-- What is known of the topics.
local topics = {}
for i = 1, topicCount do
  local t = { name = ARGV[15 + i], log = KEYS[4 + 2 * i], meta = KEYS[5 + 2 * i] }
  local meta = redis.call('HMGET', t.meta, 'last', 'bytes', 'first', 'lost', 'before', 'gone')
  t.last, t.bytes, t.first, t.lost = meta[1], tonumber(meta[2] or 0), meta[3], meta[4]
  t.length = redis.call('XLEN', t.log)
  if t.length == 0 then
    -- All there was has expired. If a loss came last, that is what stood before
    -- it, and may have been noted already.
    t.empty = not t.last or t.last ~= t.lost
    if not t.empty and after(meta[5] or '0-0', meta[6] or '0-0') then
      t.gone = meta[5]
    end
    t.bytes, t.first = 0, nil
  end
  if not t.last then
    -- Unknown, or swept: nobody can tell what it had up to the forgotten
    -- position. If the sweep has yet to come, the time of its last event is
    -- all that is left of it.
    local score = redis.call('ZSCORE', topicsKey, t.name)
    t.last = score and text(tonumber(score), maxSeq) or forgotten
  end
  raise(t.last)
  topics[i] = t
end
if now > ms then
  ms, seq = now, -1
end
