import { describeControls } from './helpers/controls.ts'

const crossing = {
  file: 'runtime/journal/crossing/crossing.test.js',
  test: 'end once each, whoever dies and whatever comes twice',
}
const taken = 'runtime/journal/crossing/taken.test.js'
const outbound = 'runtime/journal/crossing/outbound.test.js'

describeControls([
  {
    protection: 'the next owner forgets what was taken',
    mutation: { file: 'runtime/journal/open.js', from: 'forgetTaken(ledger);', to: '' },
    ...crossing,
  },
  {
    protection: 'a claim that has ended is remembered with its outcome',
    mutation: {
      file: 'runtime/journal/crossing/taken.js',
      from: 'ledger.sql.rememberTaken.run(origin.id,',
      to: 'void (origin.id,',
    },
    ...crossing,
  },
  {
    protection: 'a claim is not taken once a newer one is known',
    mutation: { file: 'runtime/journal/crossing/taken.js', from: /job\.claim < (known\.)?claim/g, to: 'false' },
    ...crossing,
  },
  {
    protection: 'a newer claim takes the row from the one that is here',
    mutation: { file: 'runtime/journal/crossing/taken.js', from: ': remove(ledger, here)', to: ': undefined' },
    ...crossing,
  },
  {
    protection: 'what nobody wants is not taken',
    mutation: {
      file: 'runtime/journal/crossing/taken.js',
      from: 'ledger.sql.isUnwanted.get(job.id, now, job.createdAt) !== undefined',
      to: 'false',
    },
    file: taken,
    test: 'is not taken when nobody wants it',
  },
  {
    protection: 'what was taken stays where it was taken',
    mutation: { file: 'runtime/journal/store/ledger.js', from: 'this.taken.has(number) ? rank :', to: '' },
    file: taken,
    test: 'stays here when it comes back from a delay of its own',
  },
  {
    protection: 'an outcome is of the claim that is away',
    mutation: {
      file: 'runtime/journal/crossing/crossing-statements.js',
      from: 'keep_until = NULL WHERE id = ? AND claim = ?',
      to: 'keep_until = NULL WHERE id = ? AND ? IS NOT NULL',
    },
    file: outbound,
    test: 'is left alone by an outcome of another claim, and by one that cannot be written',
  },
  {
    protection: 'retention leaves alone what is away',
    mutation: {
      file: 'runtime/journal/store/retention.js',
      from: 'AND ended_at IS NOT NULL ORDER BY keep_until',
      to: 'ORDER BY keep_until',
    },
    file: outbound,
    test: 'is dead when its time is over, not earlier, and can be retried',
  },
  {
    protection: 'what has run without a row any more goes to others',
    mutation: {
      file: 'runtime/across.js',
      from: /settlements\.push\(\.\.\.deliveries\.release\(number\)\);(?=\s+continue)/,
      to: '',
    },
    file: 'runtime/across/journal-death.test.js',
    test: 'is run again',
  },
  {
    protection: 'a row that was put off is written before somebody changes it',
    mutation: { file: 'runtime/journal/store/requests.js', from: 'if (!BLIND.has(request.type))', to: 'if (false)' },
    file: 'runtime/journal/crossing/taken.test.js',
    test: 'wants it cancelled',
  },
  {
    protection: 'a delivery whose answer was lost is asked for again',
    mutation: { file: 'runtime/journal/owner/lost-group.js', from: /sent\.taken\.forEach\(.*\);/, to: '' },
    file: 'runtime/journal/crossing/take.test.js',
    test: 'asks again when their reply was lost',
  },
])
