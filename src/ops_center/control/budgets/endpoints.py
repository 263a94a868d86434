"""`/llm/budgets` for those who run the gateway, `/me/budgets` for oneself."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.budgets import service
from ops_center.control.budgets.schemas import Budget, BudgetCreate, BudgetList, BudgetUpdate
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId

routes = Routes("budgets", prefix="")


@routes.get("/llm/budgets", permission=Permission.BUDGETS_READ)
async def list_budgets(control: ControlDep) -> BudgetList:
    """Every budget with what is spent of it, the widest first."""
    return await service.list_budgets(control)


@routes.post("/llm/budgets", permission=Permission.BUDGETS_WRITE, status_code=201)
async def create_budget(control: ControlDep, actor: ActorDep, body: BudgetCreate) -> Budget:
    """Set a budget; it holds for requests from now on, and what this period has cost already counts."""
    return await service.create_budget(control, actor, body)


@routes.get("/llm/budgets/{budget_id}", permission=Permission.BUDGETS_READ)
async def get_budget(control: ControlDep, budget_id: ObjectId) -> Budget:
    """One budget, as in the list."""
    return await service.get_budget(control, budget_id)


@routes.patch("/llm/budgets/{budget_id}", permission=Permission.BUDGETS_WRITE)
async def update_budget(
    control: ControlDep, actor: ActorDep, budget_id: ObjectId, body: BudgetUpdate
) -> Budget:
    """Change what is sent: amount, period, hard or soft."""
    return await service.update_budget(control, actor, budget_id, body)


@routes.delete("/llm/budgets/{budget_id}", permission=Permission.BUDGETS_WRITE, status_code=204)
async def delete_budget(control: ControlDep, actor: ActorDep, budget_id: ObjectId) -> None:
    """Lift a budget."""
    await service.delete_budget(control, actor, budget_id)


@routes.get("/me/budgets", permission=Permission.OWN_READ)
async def list_my_budgets(control: ControlDep, actor: ActorDep) -> BudgetList:
    """One's own budgets, those of one's team and of one's keys."""
    return await service.list_own(control, actor)
