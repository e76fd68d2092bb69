"""What can be said of costs, departments and objectives."""

from datetime import date, datetime
from decimal import Decimal

import strawberry

from api.changes import mutation
from api.changing.inputs import given, id_of, needed, several
from api.reference import Reference
from api.replays import Done
from api.scalars import CurrencyCode
from domain import costs
from domain.core.unit_of_work import Writing
from domain.costs import AllocationRule, CostCategory
from domain.customers import departments
from domain.initiatives import queries as initiatives
from domain.metrics import objectives
from domain.metrics.objectives import KpiDirection, ObjectiveStatus

PURCHASES = "purchases:write"
CUSTOMERS = "customers:write"


@strawberry.input(description="An amount of money in one currency.")
class MoneyInput:
    """An amount of money."""

    amount: Decimal = needed("The amount.")
    currency: CurrencyCode = needed("The currency.")


@strawberry.input(description="A span of the tenant's calendar days, from its start up to but without its end.")
class PeriodInput:
    """A span of calendar days."""

    start: date = needed("The first day of it.")
    end: date = needed("The first day after it.")


@strawberry.input(description="Money that was spent; whom or what it concerns, as far as that is known.")
class RecordCostInput:
    """Money that was spent."""

    category: CostCategory = needed("What it was spent for.")
    money: MoneyInput = needed("How much; below zero it corrects others.")
    period: PeriodInput = needed("When it was spent; it converts at the rate of the first day.")
    rule: AllocationRule | None = given("How it is shared; without it only who is named bears it.", None)
    description: str | None = given("What it was, in a line.", None)
    customer: strawberry.ID | None = given("Who alone bears it.", None)
    campaign_key: str | None = given("The campaign that it was spent on.", None)
    case_key: str | None = given("The case that it was spent on; its customer bears it.", None)
    department: strawberry.ID | None = given("The department that it was spent for.", None)
    initiative: strawberry.ID | None = given("The initiative that it was spent on.", None)

    def told(self) -> costs.NewCost:
        """The cost as the domain takes it."""
        return costs.NewCost(
            category=self.category, amount=self.money.amount, currency=self.money.currency,
            starts_on=self.period.start, ends_on=self.period.end, rule=self.rule, description=self.description,
            customer_id=id_of("cus", self.customer), campaign_key=self.campaign_key, case_key=self.case_key,
            department_id=id_of("dep", self.department), initiative_id=id_of("ini", self.initiative),
        )  # fmt: skip


@mutation("cost", "costs.Cost", scope=PURCHASES)
async def record_cost(work: Writing, asked: RecordCostInput) -> Done:
    """Record what was spent; a cost of one customer is shared at once, others soon after."""
    made = await costs.record_cost(work, await _known(work, asked))
    return Done(Reference("Cost", made.id))


@strawberry.input(description="What a cost says from now on; the earlier version stays readable.")
class ChangeCostInput:
    """What a cost says from now on."""

    id: strawberry.ID = needed("The cost.")
    version: int = needed("The version that the change was decided on.")
    cost: RecordCostInput = needed("The whole cost as it is now.")


@mutation("cost", "costs.Cost", scope=PURCHASES)
async def change_cost(work: Writing, asked: ChangeCostInput) -> Done:
    """Correct a cost by a new version, which is shared anew."""
    cost = await _known(work, asked.cost)
    changed = await costs.change_cost(work, id_of("cst", asked.id), asked.version, cost)
    return Done(Reference("Cost", changed.id))


async def _known(work: Writing, asked: RecordCostInput) -> costs.NewCost:
    """The cost as the domain takes it. Costs know nothing of initiatives: here one is looked up. Raises NotFound."""
    told = asked.told()
    if told.initiative_id is not None:
        await initiatives.initiative(work, told.initiative_id)
    return told


@strawberry.input(description="A cost that shall count in no figure any more.")
class DeleteCostInput:
    """A cost that shall count no more."""

    id: strawberry.ID = needed("The cost.")
    version: int = needed("The version that was read.")


@mutation("cost", "costs.Cost", scope=PURCHASES)
async def delete_cost(work: Writing, asked: DeleteCostInput) -> Done:
    """Take a cost out of every figure."""
    deleted = await costs.delete_cost(work, id_of("cst", asked.id), asked.version)
    return Done(Reference("Cost", deleted.id))


@strawberry.input(description="A department; one with the key that there is already gets the name.")
class DefineDepartmentInput:
    """A department."""

    key: str = needed("The name in files and filters: small letters, digits and dashes.")
    name: str = needed("How people call it.")
    version: int | None = given("Where it is changed: the version that was read.", None)


@mutation("department", "departments.Department", scope=CUSTOMERS)
async def define_department(work: Writing, asked: DefineDepartmentInput) -> Done:
    """Make a department, or give it another name."""
    made = await departments.define_department(work, asked.key, asked.name, asked.version)
    return Done(Reference("Department", made.id))


@strawberry.input(description="Which department looks after a customer from a moment on.")
class AssignDepartmentInput:
    """Which department looks after a customer."""

    customer: strawberry.ID = needed("The customer.")
    department: strawberry.ID | None = given("The department; without it none does any more.", None)
    since: datetime | None = given("Since when; without it from now on.", None)


@mutation("customer", "customers.Customer", scope=CUSTOMERS)
async def assign_department(work: Writing, asked: AssignDepartmentInput) -> Done:
    """Have a department look after a customer; what was before stays known."""
    customer_id = id_of("cus", asked.customer)
    await departments.assign_department(work, customer_id, id_of("dep", asked.department), asked.since)
    return Done(Reference("Customer", customer_id))


@strawberry.input(description="A figure that tells whether an objective is reached.")
class KpiInput:
    """A figure with its target."""

    metric: str = needed("The key of the metric.")
    direction: KpiDirection = needed("On which side of the target it shall be.")
    target: Decimal = needed("The target, in the metric's unit; money in the base currency.")
    due_on: date | None = given("The day by which it is to be reached; without it that of the objective.", None)

    def told(self) -> objectives.Kpi:
        """The KPI as the domain takes it."""
        return objectives.Kpi(self.metric, self.direction, self.target, self.due_on)


@strawberry.input(description="What the business wants to reach.")
class CreateObjectiveInput:
    """What the business wants to reach."""

    statement: str = needed("What, in words.")
    kpis: list[KpiInput] = several("The figures that tell, one to ten.")
    due_on: date | None = given("The day by which it is to be reached.", None)


@mutation("objective", "objectives.Objective", scope=CUSTOMERS)
async def create_objective(work: Writing, asked: CreateObjectiveInput) -> Done:
    """Set an objective; at most three are pursued at a time."""
    kpis = [kpi.told() for kpi in asked.kpis]
    made = await objectives.create_objective(work, asked.statement, kpis, asked.due_on)
    return Done(Reference("Objective", made.id))


@strawberry.input(description="What an objective is from now on.")
class UpdateObjectiveInput:
    """What an objective is from now on."""

    id: strawberry.ID = needed("The objective.")
    version: int = needed("The version that the change was decided on.")
    status: ObjectiveStatus = given("Whether it is pursued.", ObjectiveStatus.ACTIVE)
    objective: CreateObjectiveInput = needed("The whole objective as it is now.")


@mutation("objective", "objectives.Objective", scope=CUSTOMERS)
async def update_objective(work: Writing, asked: UpdateObjectiveInput) -> Done:
    """Change an objective, or say that it was reached or dropped."""
    says = asked.objective
    changed = await objectives.update_objective(
        work, id_of("obj", asked.id), asked.version, says.statement, [kpi.told() for kpi in says.kpis],
        due_on=says.due_on, status=asked.status,
    )  # fmt: skip
    return Done(Reference("Objective", changed.id))
