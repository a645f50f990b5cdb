"""Every URL of the service, a line a blueprint."""

from quart import Quart

from chat_service.agents.roles.routes import blueprint as roles
from chat_service.agents.routes import agents
from chat_service.agents.routes import blueprint as auth
from chat_service.agents.routes import tickets
from chat_service.agents.teams.routes import blueprint as teams
from chat_service.customers.routes import blueprint as customers
from chat_service.intake.routes import blueprint as intake
from chat_service.messages.routes import blueprint as messages
from chat_service.operations.demo import blueprint as demo
from chat_service.operations.routes import blueprint as operations
from chat_service.realtime.routes import blueprint as realtime
from chat_service.sessions.routes import blueprint as sessions
from chat_service.views.routes import blueprint as events

BLUEPRINTS = (
    operations,
    demo,
    auth,
    agents,
    tickets,
    roles,
    teams,
    customers,
    intake,
    sessions,
    messages,
    events,
    realtime,
)


def register(app: Quart) -> None:
    """Give the application all its routes."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
