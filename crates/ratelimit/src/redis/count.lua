-- Checks a request against all its windows and counts it, in one step.
-- KEYS: for each window its counter, and for a sliding one also that of the window before.
-- ARGV: 1 if a refused request counts, too, else 0; then for each window
--       how much may be used, the weight of the window before (- if fixed), what to count, its life in ms.
-- Answers: 1 if it may go on, else 0; then for each window what was counted in it and in the one before.
local counts = redis.call('MGET', unpack(KEYS))
local answer = {1}
local mine = {}
local key = 0
for window = 0, (#ARGV - 1) / 4 - 1 do
  local most, weight, cost = tonumber(ARGV[window * 4 + 2]), ARGV[window * 4 + 3], tonumber(ARGV[window * 4 + 4])
  key = key + 1
  mine[window] = KEYS[key]
  local current, previous, used = tonumber(counts[key] or 0), 0, 0
  used = current
  if weight ~= '-' then
    key = key + 1
    previous = tonumber(counts[key] or 0)
    used = current + previous * tonumber(weight)
  end
  if cost > 0 and used + 1 > most then
    answer[1] = 0
  end
  answer[#answer + 1] = current
  answer[#answer + 1] = previous
end
if answer[1] == 1 or ARGV[1] == '1' then
  for window = 0, (#ARGV - 1) / 4 - 1 do
    local cost = ARGV[window * 4 + 4]
    if cost ~= '0' and redis.call('INCRBY', mine[window], cost) == tonumber(cost) then
      redis.call('PEXPIRE', mine[window], ARGV[window * 4 + 5])
    end
  end
end
return answer
