"""The questions of log-check.ts, asked of the same file with pandas as an analyst would: prints JSON, times in milliseconds of this process."""

import json
import sys
import time

import pandas as pd

WITHIN = pd.Timedelta(days=30)


def clock():
    return time.process_time() * 1000, time.perf_counter() * 1000


cpu, wall = clock()
log = pd.read_csv(sys.argv[1], dtype={"case": str, "activity": "category", "vendor": str, "ref": str, "amount": str})
log["time"] = pd.to_datetime(log["time"], utc=True)
log = log.sort_values(["case", "time"])
read_cpu, read_wall = clock()

first = {
    activity: log[log["activity"] == activity].drop_duplicates("case").set_index("case")
    for activity in ["Create order", "Receive goods", "Record invoice"]
}
orders, goods, invoices = first["Create order"], first["Receive goods"], first["Record invoice"]

waited = invoices["time"].reindex(orders.index) - orders["time"]
answer = {
    "satisfied": int((waited <= WITHIN).sum()),
    "late": int((waited > WITHIN).sum()),
    "open": int(waited.isna().sum()),
}
before = goods["time"].reindex(invoices.index)
answer["unreceived"] = int((before.isna() | (before > invoices["time"])).sum())
by_time = invoices.sort_values("time", kind="stable")
answer["duplicates"] = int(by_time.duplicated(["ref", "amount"]).sum())
end_cpu, end_wall = clock()

print(
    json.dumps(
        {
            "answer": answer,
            "version": pd.__version__,
            "read": {"cpuMs": read_cpu - cpu, "wallMs": read_wall - wall},
            "check": {"cpuMs": end_cpu - read_cpu, "wallMs": end_wall - read_wall},
        }
    )
)
