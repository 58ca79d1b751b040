-- One call of a node's publish lane: stores and announces messages, each group
-- of them whole or not at all. A call without groups only moves the clock: a
-- beat.
--
-- KEYS  1 clock  2 epochs  3 topics  4 names  5 lane  6 due
--       then of each topic in the call its log and its meta, and of a table also
--       what it has now, and its nulls
--       then the once keys and the seq keys that the messages name
-- ARGV  1 run id of the server, as this connection learned it when it was made
--       2 number of the call, rising with each call of this lane; 0: a beat
--       3 position that every new one has to lie behind
--       4 epoch that the caller knows, "<number>.<nonce>"
--       5 nonce, should a new epoch begin
--       6 messages kept of a topic  7 bytes  8 milliseconds
--       9 milliseconds that idempotency keys are remembered
--       10 channel of the wire  11 name of the lane, of a beat with the digest of
--       the node's rules
--       12 number of topics  13 number of groups
--       14 where the caller knows the clock of that epoch to have stood
--       15 milliseconds that producers are remembered
--       16 topics that there may be
--       then of each topic: its name, its kind, and how many keys it may have.
--       Kinds: nothing for a log, k a table with keys, x ephemeral; ? as the
--       store has it.
--       then each group: number of its runs, deadline in Redis' milliseconds, the
--       epoch that it has to be taken in or nothing
--       then each run, which is messages to one topic, in order: number of its
--       topic, kind, number of its messages, these. That is all if its kind is m;
--       else there follow, of the last message, key, bytes of its texts, or 0 if it
--       deletes its key, nothing or "<how it ends the topic>/<milliseconds of its
--       lease>", number of its once key and digest, or only 0, number of its seq key
--       and seq, or only 0; the seqs before it are each by one lower than the next.
--       Both kinds of keys are counted together.
--       Kinds: m messages with nothing of that; t with it; e nothing but an end; l is
--       no message but the report of a loss, its key being the ended epoch, its
--       messages a position in it; d ends the topic if its lease has run out.
--       Messages: of each its flags, event name, key and data as netstrings. They
--       are stored and announced as they are.
--
-- Returns words, separated by spaces:
--   epoch  its beginning  position of the clock  Redis' milliseconds
--   number of ended epochs, and these, if the caller knew another epoch
--   then for each group "late", "turned" if it has to be taken in another epoch,
--   "reused:<number of message>", "ended:<number>:<how>" or
--   "full:<number>:<limit>:keys" or "bytes" if the topic does not take the
--   message, "crowded:<number>" if it would begin a topic too many, or "ok" and for each run the position of its last message, or of the
--   end behind it, the others standing right before it; "<epoch>@<position>" of an
--   earlier one with the key or the seq of the last, or "old" if its producer's
--   highest seq lies beyond that; "<number>*<epoch>@<position>,<position>" if so
--   many are known, with the place of the last of these, and the rest is new; or
--   "-" for a loss that was known, or a lease that runs.
-- Or only "fenced": the lane has given this call up.
--
-- All reads and refusals come first, then XADD, the only write that can fail
-- (out of memory), then the rest.

local clockKey, epochsKey, topicsKey, namesKey, laneKey, dueKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local run, call, nonce = ARGV[1], tonumber(ARGV[2]), ARGV[5]
local keepMessages, keepBytes, keepMS, onceMS = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local seqMS, maxTopics = tonumber(ARGV[15]), tonumber(ARGV[16])
local topicCount, groupCount = tonumber(ARGV[12]), tonumber(ARGV[13])
-- What is remembered of a topic outlives its log, so that the sweep finds it.
local metaMS = keepMS + 3600000
-- To have keys live on costs as much as to add to them: they are given so much
-- more time that this is not to be done each time.
local spareMS = math.ceil(keepMS / 100)
-- What an entry takes besides its texts.
local entryCost = 100
-- What one entry may hold: messages that stand next to each other are stored as
-- one, a pack.
local packMessages, packBytes = 64, 4096
-- The last number that a position may have within its millisecond.
local maxSeq = 34359738367

local function split(p)
  local ms, seq = string.match(p, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function text(ms, seq)
  return string.format('%.0f-%.0f', ms, seq)
end

if call > 0 then
  local last = redis.call('HGET', laneKey, 'call')
  if last and tonumber(last) >= call then
    return 'fenced'
  end
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local clock = redis.call('HMGET', clockKey, 'last', 'epoch', 'run', 'began', 'forgotten', 'unseen')
local wire, epoch, began = clock[1] or '0-0', clock[2], clock[4]
local forgotten = clock[5] or '0-0'
-- Leases that ran out before this moment did so while no node could see it.
local unseen = tonumber(clock[6] or 0)

local function after(p, q)
  local pms, pseq = split(p)
  local qms, qseq = split(q)
  return pms > qms or pms == qms and pseq > qseq
end
local function numberOf(e)
  return tonumber(string.match(e, '^%d+'))
end
-- Another server wrote last, or nobody: the store may have lost something. Or
-- this one was given older data while it ran: for a while it followed another
-- one, which had less. So it was if its clock stands before where the caller knows
-- it to have stood, or its epoch is one before the caller's.
local turns = not epoch or clock[3] ~= run or epoch == ARGV[4] and after(ARGV[14], wire)
  or numberOf(ARGV[4]) > numberOf(epoch)

-- The highest position there is.
local ms, seq = split(wire)
local function raise(p)
  local pms, pseq = split(p)
  if pms > ms or pms == ms and pseq > seq then
    ms, seq = pms, pseq
  end
  if seq >= maxSeq then
    ms, seq = ms + 1, -1
  end
end
raise(ARGV[3])
