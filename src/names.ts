// Written by `npm run names`: the names of fields and methods, the one used most often first. The compiler numbers names as it meets them,
// and the first 248 take one byte in the code instead of three. This takes none: what is only kept is not called (docs/decisions/0006).

import * as ds from "@devicescript/core"

// prettier-ignore
ds.keep(
    ds.keep
        + "volume" + "usage" + "segment" + "tree" + "node" + "slots" + "bank" + "uploads" + "rowPages" + "root" + "leaf"
        + "directory" + "valueAt" + "elements" + "segmentPages" + "home" + "scratch" + "segments" + "outbox" + "cache"
        + "alive" + "epoch" + "members" + "row" + "joining" + "inode" + "first" + "tags" + "other" + "settle" + "top"
        + "account" + "commit" + "available" + "counts" + "buffers" + "frames" + "used" + "dirtyCount" + "serving" + "load"
        + "sub" + "partialPage" + "arrayId" + "bytes" + "away" + "blocks" + "between" + "rootPage" + "generations" + "states"
        + "places" + "pair" + "since" + "runPages" + "anchors" + "begin" + "segmentRows" + "find" + "transfer" + "clock"
        + "depth" + "nowMs" + "remove" + "busy" + "labels" + "rootTail" + "left" + "seek" + "far" + "wear" + "pages"
        + "sizes" + "port" + "sinceMs" + "reads" + "badChecks" + "erased" + "program" + "ids" + "commands" + "freeSegments"
        + "partnerOwn" + "stepped" + "journal" + "tag" + "progressDue" + "serial" + "betweenTail" + "readPage" + "store"
        + "durable" + "drop" + "aloneTicks" + "active" + "replies" + "now" + "runCounts" + "put" + "touch" + "use"
        + "positions" + "finish" + "of" + "isPinned" + "victim" + "live" + "kind" + "run" + "ensure" + "listedPage"
        + "cursor" + "hosted" + "writeAnchor" + "cleaner" + "writeMask" + "rate" + "snapshot" + "idOf" + "again" + "retiring"
        + "writes" + "changed" + "extent" + "heardBusMs" + "count" + "take" + "partialBytes" + "held" + "wake" + "stop"
        + "hasRuns" + "dead" + "clear" + "parity" + "pins" + "repair" + "room" + "bad" + "heardMs" + "markKinds" + "sha256"
        + "homeBusy" + "heardPartnerMs" + "recorded" + "beatDue" + "partnerAlive" + "askedVerb" + "control" + "sequence"
        + "slot" + "append" + "setInode" + "putExtent" + "mount" + "outcome" + "commitNumber" + "uploadOf" + "changeNumber"
        + "forget" + "answer" + "valueBytes" + "step" + "dueMs" + "total" + "readAt" + "eraseSegment" + "holds"
        + "leaveClosedRow" + "look" + "markIds" + "markNumbers" + "orphans" + "erase" + "toldEnds" + "partnerBusy"
        + "partnerRole" + "offset" + "answers" + "outcomes" + "heardBus" + "unsettled" + "notify" + "tailBefore" + "settleAt"
        + "nodeSlot" + "makeRoom" + "usedMs" + "recover" + "news" + "refusal" + "sectorIsOpen" + "runBlocks" + "weakRow"
        + "make" + "setAway" + "wearBase" + "cold" + "segmentsMax" + "firstTag" + "kinds" + "trim" + "identify"
        + "changedLast" + "freed" + "mounted" + "toldObjects" + "toldStatus" + "copyDueMs" + "clearTail" + "failure"
        + "partnerHold" + "noTakeoverBeforeMs" + "end" + "turn" + "refusals" + "workerSignal" + "jobs" + "tidied"
        + "readPages" + "key" + "runNext" + "leavePartial" + "execute" + "free" + "reply" + "isProtected" + "header"
        + "refresh" + "rows" + "closedRow" + "badPages" + "sum" + "isEnough" + "isAway" + "pageAt" + "readReserved"
        + "retiredCount" + "copied" + "reach" + "markUsed" + "markTold" + "head" + "second" + "fiber" + "pending"
        + "requests" + "takeovers",
)
