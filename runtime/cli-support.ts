/** What the command line needs of the runtime besides the public API. No part of the package's exports. */
export { JournalReader, type KeyedJob, ownerOf, type ReadFilter, type StateCount } from './journal/read-only.ts'
export type { Holder } from './journal/lock.ts'
export { carryOut } from './journal/administer.ts'
export type { Wish } from './journal/wish.ts'
export { backup } from './journal/backup.ts'
export { type Depth, examine, type Examination } from './journal/doctor.ts'
export { salvage, type Salvaged } from './journal/salvage.ts'
export type { Gap } from './journal/salvage-rows.ts'
