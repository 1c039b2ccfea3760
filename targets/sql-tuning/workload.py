"""Locked: the rows of a small shop, the questions asked of it, and their answers worked out without any database.

Rows come from a fixed seed, so a database file can be checked against them to the last one. A *request* is one page of
the shop: the same six questions with values of its own. `val` and `test` are two lists of requests that share none.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from functools import cache

SEED = 1859
CUSTOMERS, PRODUCTS, ORDERS, DAYS = 2_000, 600, 24_000, 730
COUNTRIES = ("AR", "BR", "CL", "EC", "GB", "NZ", "PE", "ZA")
STATUSES = ("open", "paid", "sent", "done", "done", "done", "done", "back")
SPLIT_SEEDS = {"val": 1, "test": 2}
REQUESTS = 40

Row = tuple[int | str, ...]
Rows = dict[str, list[Row]]

COLUMNS: dict[str, tuple[str, ...]] = {
    "customers": ("id", "email", "country"),
    "products": ("id", "name", "price"),
    "orders": ("id", "customer_id", "day", "status", "total"),
    "items": ("order_id", "line", "product_id", "quantity"),
}
QUERIES: dict[str, str] = {
    "sign_in": "SELECT id, country FROM customers WHERE email = :email",
    "history": (
        "SELECT id, day, status, total FROM orders WHERE customer_id = :customer ORDER BY day DESC, id DESC LIMIT 10"
    ),
    "order": (
        "SELECT i.line, p.name, i.quantity, p.price FROM items i JOIN products p ON p.id = i.product_id"
        " WHERE i.order_id = :order_id ORDER BY i.line"
    ),
    "backlog": "SELECT id, day, total FROM orders WHERE status = 'open' ORDER BY day, id LIMIT 20 OFFSET :page",
    "week": "SELECT count(*), coalesce(sum(total), 0) FROM orders WHERE day BETWEEN :day AND :day + 6",
    "product": (
        "SELECT count(*), coalesce(sum(i.quantity), 0), coalesce(max(o.day), 0)"
        " FROM items i JOIN orders o ON o.id = i.order_id WHERE i.product_id = :product"
    ),
}


@dataclass(frozen=True)
class Request:
    """The values that one page asks for."""

    values: dict[str, int | str]


@cache
def rows() -> Rows:
    """All rows by table, in the order in which the shop came to hold them; lengths and money are whole numbers."""
    rng = random.Random(SEED)
    customers: list[Row] = [
        (i, f"{rng.randrange(16**6):06x}.{i}@example.org", rng.choice(COUNTRIES)) for i in range(1, CUSTOMERS + 1)
    ]
    products: list[Row] = [(i, f"specimen {i:04}", rng.randrange(50, 9_000)) for i in range(1, PRODUCTS + 1)]
    price = {row[0]: int(row[2]) for row in products}
    orders: list[Row] = []
    items: list[Row] = []
    for order in range(1, ORDERS + 1):
        customer = min(int(rng.paretovariate(0.7)), CUSTOMERS) if rng.random() < 0.2 else rng.randint(1, CUSTOMERS)
        lines = [(rng.randint(1, PRODUCTS), rng.randint(1, 5)) for _ in range(rng.randint(1, 4))]
        total = sum(price[product] * quantity for product, quantity in lines)
        orders.append((order, customer, rng.randrange(DAYS), rng.choice(STATUSES), total))
        items += [(order, line, product, quantity) for line, (product, quantity) in enumerate(lines, 1)]
    rng.shuffle(orders)  # ids and days do not arrive in order
    rng.shuffle(items)
    return {"customers": customers, "products": products, "orders": orders, "items": items}


def requests(split: str) -> list[Request]:
    """The requests of `val` or `test`, always the same."""
    rng = random.Random(SPLIT_SEEDS[split])
    customers = rows()["customers"]
    return [
        Request({
            "email": rng.choice(customers)[1], "customer": rng.randint(1, CUSTOMERS),
            "order_id": rng.randint(1, ORDERS), "page": 20 * rng.randrange(8), "day": rng.randrange(DAYS - 7),
            "product": rng.randint(1, PRODUCTS),
        })
        for _ in range(REQUESTS)
    ]  # fmt: skip


def answers(split: str) -> list[dict[str, list[Row]]]:
    """For each request of the split, the right rows for each query, in order, computed from `rows()` alone."""
    data = rows()
    by_email = {row[1]: row for row in data["customers"]}
    products = {row[0]: row for row in data["products"]}
    day_of = {row[0]: int(row[2]) for row in data["orders"]}
    orders_of, items_of, sales_of = defaultdict(list), defaultdict(list), defaultdict(list)
    for row in data["orders"]:
        orders_of[row[1]].append(row)
    for row in data["items"]:
        items_of[row[0]].append(row)
        sales_of[row[2]].append(row)
    waiting = sorted((int(order[2]), int(order[0]), order[4]) for order in data["orders"] if order[3] == "open")
    backlog: list[Row] = [(order, day, total) for day, order, total in waiting]
    found: list[dict[str, list[Row]]] = []
    for request in requests(split):
        ask = request.values
        page, day = int(ask["page"]), int(ask["day"])
        history = sorted(orders_of[ask["customer"]], key=lambda r: (r[2], r[0]), reverse=True)[:10]
        week = [int(o[4]) for o in data["orders"] if day <= int(o[2]) <= day + 6]
        sales = sales_of[ask["product"]]
        found.append({
            "sign_in": [(by_email[ask["email"]][0], by_email[ask["email"]][2])],
            "history": [(o[0], o[2], o[3], o[4]) for o in history],
            "order": [
                (line, products[product][1], quantity, products[product][2])
                for _, line, product, quantity in sorted(items_of[ask["order_id"]])
            ],
            "backlog": backlog[page : page + 20],
            "week": [(len(week), sum(week))],
            "product": [(len(sales), sum(int(s[3]) for s in sales), max((day_of[s[0]] for s in sales), default=0))],
        })  # fmt: skip
    return found
