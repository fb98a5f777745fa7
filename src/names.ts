// Written by `npm run names`: the names of fields and methods, the one used most often first. The compiler numbers names as it meets them,
// and the first 248 take one byte in the code instead of three. This takes none: what is only kept is not called (docs/decisions/0006).

import * as ds from "@devicescript/core"

// prettier-ignore
ds.keep(
    ds.keep
        + "volume" + "usage" + "tree" + "node" + "slots" + "segment" + "bank" + "uploads" + "rowPages" + "root" + "leaf"
        + "directory" + "valueAt" + "elements" + "segmentPages" + "home" + "scratch" + "segments" + "cache" + "outbox"
        + "alive" + "epoch" + "members" + "row" + "joining" + "inode" + "first" + "tags" + "other" + "frames" + "settle"
        + "top" + "buffers" + "used" + "account" + "commit" + "available" + "counts" + "sub" + "dirtyCount" + "serving"
        + "load" + "partialPage" + "arrayId" + "bytes" + "away" + "states" + "places" + "blocks" + "between" + "rootPage"
        + "generations" + "pair" + "sizes" + "since" + "runPages" + "find" + "anchors" + "begin" + "transfer" + "segmentRows"
        + "clock" + "depth" + "commands" + "nowMs" + "labels" + "remove" + "busy" + "rootTail" + "left" + "seek" + "port"
        + "far" + "wear" + "sinceMs" + "reads" + "badChecks" + "erased" + "program" + "ids" + "freeSegments" + "partnerOwn"
        + "stepped" + "journal" + "tag" + "progressDue" + "serial" + "betweenTail" + "readPage" + "store" + "durable"
        + "drop" + "aloneTicks" + "active" + "replies" + "now" + "runCounts" + "put" + "pages" + "touch" + "use"
        + "positions" + "finish" + "of" + "isPinned" + "victim" + "live" + "kind" + "run" + "ensure" + "listedPage"
        + "cursor" + "hosted" + "writeAnchor" + "cleaner" + "writeMask" + "rate" + "snapshot" + "writes" + "idOf" + "again"
        + "retiring" + "changed" + "extent" + "heardBusMs" + "count" + "heardMs" + "markKinds" + "take" + "partialBytes"
        + "held" + "wake" + "stop" + "hasRuns" + "dead" + "clear" + "parity" + "pins" + "repair" + "room" + "bad" + "sha256"
        + "homeBusy" + "heardPartnerMs" + "markIds" + "markNumbers" + "recorded" + "beatDue" + "partnerAlive" + "askedVerb"
        + "control" + "sequence" + "slot" + "append" + "setInode" + "putExtent" + "mount" + "outcome" + "commitNumber"
        + "uploadOf" + "changeNumber" + "forget" + "answer" + "valueBytes" + "step" + "dueMs" + "total" + "readAt"
        + "eraseSegment" + "holds" + "leaveClosedRow" + "look" + "orphans" + "erase" + "toldEnds" + "partnerBusy"
        + "partnerRole" + "kinds" + "offset" + "answers" + "outcomes" + "heardBus" + "unsettled" + "notify" + "tailBefore"
        + "settleAt" + "nodeSlot" + "makeRoom" + "usedMs" + "recover" + "news" + "trim" + "refusal" + "sectorIsOpen"
        + "runBlocks" + "identify" + "weakRow" + "make" + "setAway" + "wearBase" + "cold" + "segmentsMax" + "changedLast"
        + "freed" + "mounted" + "toldObjects" + "toldStatus" + "copyDueMs" + "clearTail" + "failure" + "partnerHold"
        + "noTakeoverBeforeMs" + "markUsed" + "markTold" + "end" + "turn" + "refusals" + "workerSignal" + "jobs" + "tidied"
        + "readPages" + "key" + "runNext" + "leavePartial" + "execute" + "free" + "reply" + "isProtected" + "header"
        + "refresh" + "rows" + "closedRow" + "badPages" + "sum" + "isEnough" + "isAway" + "pageAt" + "readReserved"
        + "retiredCount" + "copied" + "mayTake" + "reach" + "head" + "second" + "fiber" + "pending" + "requests"
        + "takeovers",
)
